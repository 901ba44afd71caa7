// Opens the vendored viewer on this server's own document, with the marks of each field as labels, and the demo token filled in.
"use strict";

const MARKS = ["guaranteed", "nullable", "validated"];

// The description of a field begins with its marks in words, for viewers that know no better; here they are labels beside the type.
function withoutMarks(description) {
  return description.replace(/^(?:(?:Guaranteed|Nullable|Validated)\.\s*)+/, "");
}

function labels(schema, React) {
  const held = MARKS.filter((mark) => schema && schema[`x-${mark}`]);
  return held.map((mark) => React.createElement("span", { key: mark, className: `mark mark-${mark}` }, mark));
}

const MarksPlugin = {
  wrapComponents: {
    JSONSchema202012KeywordType: (Original, { React }) => (props) =>
      React.createElement(React.Fragment, null, React.createElement(Original, props), ...labels(props.schema, React)),
    JSONSchema202012KeywordDescription: (Original, { React }) => (props) => {
      const description = withoutMarks(props.schema?.description ?? "");
      return description ? React.createElement(Original, { ...props, schema: { ...props.schema, description } }) : null;
    },
  },
};

// The login flow ends at an application's own address, so it cannot be walked from here; a bearer token does the same.
const NoLoginPlugin = {
  statePlugins: {
    auth: {
      wrapSelectors: {
        definitionsToAuthorize: (original) => (...rest) => original(...rest)?.filter((scheme) => !scheme.has("oauth")),
      },
    },
  },
};

// The viewer's own head has a title, which the page has already, and more than needs to be said: the description is what remains.
const HeadPlugin = ({ React }) => ({
  components: {
    OAS31Info: ({ getComponent, specSelectors }) => {
      const description = React.createElement(getComponent("Markdown", true), { source: specSelectors.selectInfoDescriptionField() });
      return React.createElement("div", { className: "info" }, description);
    },
  },
});

function fillIn(ui, { token, basic }) {
  if (token) ui.preauthorizeApiKey("bearer", token);
  if (basic) ui.preauthorizeBasic("client", ...atob(basic).split(":", 2));
}

function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

function opened(place, ui) {
  place.querySelector(".operation-filter-input").setAttribute("aria-label", "Filter by tag or path");
  fillIn(ui, place.dataset);
}

function open(place) {
  const ui = SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    plugins: [MarksPlugin, NoLoginPlugin, HeadPlugin],
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelRendering: "model",
    defaultModelExpandDepth: 6, // deep enough to show the marks of a record's own fields inside a page
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    onComplete: () => opened(place, ui),
  });
}

followColorScheme();
document.getElementById("howto").hidden = false;
document.getElementById("waiting").hidden = true;
open(document.getElementById("explorer"));
