// Opens the vendored viewer on this server's own document, with the marks of each field as labels, and the demo token filled in.
"use strict";

const MARKS = ["guaranteed", "nullable", "validated"];

// The description of a field begins with its marks in words, for viewers that know no better; here they become labels.
function withoutMarks(description) {
  return description.replace(/^(?:(?:Guaranteed|Nullable|Validated)\.\s*)+/, "");
}

function marksPlugin() {
  const labelled = (Original, { React }) => (props) => {
    const { schema } = props;
    const marks = MARKS.filter((mark) => schema && schema[`x-${mark}`]);
    if (marks.length === 0) return React.createElement(Original, props);
    const labels = marks.map((mark) => React.createElement("span", { key: mark, className: `mark mark-${mark}` }, mark));
    const rest = { ...schema, description: withoutMarks(schema.description || "") };
    const text = rest.description ? React.createElement(Original, { ...props, schema: rest }) : null;
    return React.createElement("div", { className: "marks" }, ...labels, text);
  };
  return { wrapComponents: { JSONSchema202012KeywordDescription: labelled } };
}

function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

function open(place) {
  const { document: url, token } = place.dataset;
  const ui = SwaggerUIBundle({
    url,
    domNode: place,
    plugins: [marksPlugin],
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelRendering: "model",
    defaultModelExpandDepth: 4,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    onComplete: () => { if (token) ui.preauthorizeApiKey("bearer", token); },
  });
}

followColorScheme();
open(document.getElementById("explorer"));
