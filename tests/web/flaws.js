// What is wrong with a page for somebody who listens to it, or presses it with a thumb.
() => {
  const found = [];
  const say = (what, elements) => { for (const e of elements) found.push(`${what}: ${e.outerHTML.slice(0, 90)}`); };
  const all = (selector) => [...document.querySelectorAll(selector)];
  if (document.documentElement.lang !== "en") found.push("no language");
  if (!document.title.trim()) found.push("no title");
  if (all("h1").length !== 1) found.push(`${all("h1").length} main headings`);
  const levels = all("h1, h2, h3, h4").map((e) => Number(e.tagName[1]));
  if (levels.some((level, i) => i && level > levels[i - 1] + 1)) found.push(`headings skip a level: ${levels}`);
  say("no label", all("input:not([type=hidden]), select").filter((e) => !e.labels.length && !e.ariaLabel));
  const ids = all("[id]").map((e) => e.id);
  say("id twice", all("[id]").filter((e, i) => ids.indexOf(e.id) !== i));
  const named = (name) => all(`[${name}]`).filter((e) => e.getAttribute(name).split(" ").some((id) => !document.getElementById(id)));
  say("points at nothing", [...named("aria-labelledby"), ...named("aria-describedby")]);
  const buttons = all("button").map((e) => e.ariaLabel || e.textContent.trim());
  if (new Set(buttons).size !== buttons.length) found.push(`buttons of one name: ${buttons}`);
  // A link inside a sentence may be as small as its text.
  const targets = all("a, button, input:not([type=hidden]), select, summary").filter((e) => !e.closest("p, dd, .skip"));
  say("small target", targets.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24));
  if (document.getAnimations().length) found.push("something moves");
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than ${innerWidth}`);
  // On a phone the rows of these tables are blocks, so that no column hides behind the edge.
  if (innerWidth < 720) say("scrolls sideways", all(".scroll:has(> :is(.blocks, .slim))").filter((e) => e.scrollWidth > e.clientWidth));
  return found;
}
