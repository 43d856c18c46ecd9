/** The figures of the release team, each with what it is made of. */

import { h } from "./host.js";
import { useAnswer } from "./api.js";
import { Links, Part, Section } from "./parts.js";
import { count, duration, number } from "./time.js";

const DAYS = 28;
const SLOWLY = 120;

/** A figure in words, where the server has none for it. @param {import("./types.js").FigureLine} figure */
export function figureText(figure) {
  if (figure.text) return figure.text;
  if (figure.value === null) return "–";
  if (figure.unit === "seconds") return duration(figure.value);
  return figure.unit === "ratio" ? `${Math.round(figure.value * 100)} %` : number(figure.value);
}

/** The stages that figures are of, in their order. @param {import("./types.js").FigureLine[]} figures */
export const stagesOf = (figures) => [...new Set(figures.map((figure) => figure.stage))];

/** @param {import("./types.js").FigureLine[]} figures @param {string} stage */
export const figuresOf = (figures, stage) => figures.filter((figure) => figure.stage === stage);

export function Figures() {
  const answer = useAnswer(`figures?days=${DAYS}`, SLOWLY);
  return h(
    Section, { title: "Figures", id: "ns-figures", aside: h("span", { className: "ns-mute" }, `the last ${DAYS} days`) },
    h(Part, { answer, rows: 2 }, ({ figures }) => figures.length === 0
      ? h("p", { className: "ns-mute" }, "There was no deployment to make figures of.")
      : stagesOf(figures).map((stage) => h(
        "div", { key: stage, className: "ns-tiles ns-figures" },
        figuresOf(figures, stage).map((figure) => h(Figure, { key: figure.key, figure })),
      ))),
  );
}

/** @param {{figure: import("./types.js").FigureLine}} props */
const Figure = ({ figure }) =>
  h(
    "div", { className: "ns-tile" },
    h("span", { className: "ns-mute" }, figure.label), h("b", null, figureText(figure)),
    figure.made_of.length > 0 && h(
      "details", { className: "ns-more" }, h("summary", null, `made of ${count(figure.made_of.length, "entry", "entries")}`),
      h(Links, { links: figure.made_of }),
    ),
  );
