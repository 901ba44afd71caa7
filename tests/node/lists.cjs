// Reads lists with clever-js, and prints what it got.
const Clever = require("clever");

const { SERVER, TOKEN } = process.env;
const clever = Clever({ token: TOKEN }, SERVER);
// The library was written for version 1.2, where students were a kind of their own: its classes take other paths.
const paths = { District: "districts", School: "schools", Section: "sections", Student: "users", Event: "events" };
for (const [name, path] of Object.entries(paths)) clever[name].path = `/v3.0/${path}`;

const students = () => clever.Student.find({}, null, { role: "student" });
const read = (query) => new Promise((resolve, reject) => query.exec((error, found) => (error ? reject(error) : resolve(found))));

async function pull(query) {
  const records = [];
  for await (const record of query.stream()) records.push(record);
  return records;
}

async function main() {
  const found = {
    districts: await read(clever.District.find()),
    school: await read(clever.School.findOne()),
    schools: await pull(clever.School.find().limit(1)),
    sections: await pull(clever.Section.find().limit(7)),
    students: await pull(students().limit(25)),
    count: await read(students().count()),
    last: await read(students().limit(2).ending_before("last")),
    events: await pull(clever.Event.find().limit(5)),
  };
  console.log(JSON.stringify(found));
}

main();
