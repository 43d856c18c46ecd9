/** The figures of the release team, each with what it is made of. */

import { Fragment, h } from "./host.js";
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

export function Figures() {
  const answer = useAnswer(`figures?days=${DAYS}`, SLOWLY);
  return h(
    Section, { title: "Figures", id: "ns-figures", aside: h("span", { className: "ns-mute" }, `the last ${DAYS} days`) },
    h(Part, { answer, rows: 2 }, ({ figures }) => h(
      "div", { className: "ns-tiles" },
      figures.length === 0
        ? h("p", { className: "ns-mute" }, "There was no deployment to make figures of.")
        : figures.map((figure) => h(Figure, { key: figure.key, figure })),
    )),
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
    figure.made_of.length === 0 && h(Fragment, null, h("span", { className: "ns-mute" }, "made of nothing yet")),
  );
