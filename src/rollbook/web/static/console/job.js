// Shows the stage of a job as it moves on, and the whole page once its state changes.
const shown = document.getElementById("job");
const stage = document.getElementById("stage");
async function look() {
  const answer = await fetch(shown.dataset.address);
  if (!answer.ok) return;
  const { job } = await answer.json();
  if (job.state !== shown.dataset.state) location.reload();
  else stage.textContent = job.stage;
}
setInterval(() => look().catch(() => {}), 1500);
