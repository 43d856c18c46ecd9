/** The view "Connections": how the vendors' connections do, from what the tasks saw, and the sign-in at Autodesk. */

import { Fragment, h } from "./host.js";
import { useAnswer } from "./api.js";
import { Chip, Empty, Facts, Links, Open, Part, Section, joined, words } from "./parts.js";
import { Presses } from "./press.js";
import { Time, away } from "./time.js";

const STATES = {
  good: ["good", "check", "works"], failing: ["bad", "cross", "failing"], unseen: ["none", "", "not used yet"],
  missing: ["late", "question", "there is none"],
};
const SIGN_INS = {
  granted: ["good", "check"], ends_soon: ["late", "clock"], ended: ["bad", "cross"], never: ["bad", "question"],
  unreadable: ["bad", "question"], not_needed: ["none", ""],
};

export function Connections() {
  const answer = useAnswer("connections", 30);
  return h(
    Section, { title: "Connections and sign-ins", id: "ns-connections" },
    h(Part, { answer, rows: 5 }, ({ connections, now }) => (connections.length === 0
      ? h(Empty, { title: "No connection", glyph: "ring" }, "Connections that reports.yaml or promotions.yaml name are shown here to those who may see connections.")
      : h("ul", { className: "ns-cards" }, connections.map((one) =>
        h("li", { key: one.connection }, h(Connection, { one, now })))))),
  );
}

/** @param {{one: import("./types.js").ConnectionLine, now: string}} props */
function Connection({ one, now }) {
  const [tone, glyph, name] = Object.hasOwn(STATES, one.state) ? STATES[one.state] : ["wait", "question", words(one.state)];
  return h(
    "article", { className: `ns-card${tone === "bad" ? " ns-edge-bad" : ""}`, "aria-label": one.connection },
    h("div", { className: "ns-card-head" }, h("h3", null, one.vendor), h(Chip, { tone, glyph }, name)),
    h("div", { className: "ns-mute" }, h("code", null, one.connection), one.used_by.length > 0 && ` · used by ${one.used_by.join(", ")}`),
    h(Facts, {
      of: [
        ["last good call", one.last_good && h(Saw, { seen: one.last_good, now })],
        ["last error", one.last_error && h(Saw, { seen: one.last_error, now })],
      ],
    }),
    one.sign_in && h(SignIn, { sign: one.sign_in, now }),
    h(Presses, { presses: one.presses, quiet: true }),
    h(Links, { links: one.links }),
  );
}

/** @param {{seen: import("./types.js").Seen, now: string}} props */
const Saw = ({ seen, now }) =>
  h(
    Fragment, null, h(Time, { at: seen.at }), ` (${away(seen.at, now)})`,
    seen.task_id && h("div", { className: "ns-mute" }, joined([seen.dag_id, seen.task_id], " / ")),
    seen.text && h("div", { className: "ns-said" }, seen.kind && h("strong", null, `${words(seen.kind)}: `), seen.text),
    h(Links, { links: seen.links }),
  );

/** @param {{sign: import("./types.js").SignInLine, now: string}} props */
function SignIn({ sign, now }) {
  const [tone, glyph] = Object.hasOwn(SIGN_INS, sign.state) ? SIGN_INS[sign.state] : ["wait", "question"];
  return h(
    "div", { className: "ns-sign-in" },
    h("div", { className: "ns-chips" }, h("strong", null, "Sign-in"), h(Chip, { tone, glyph }, words(sign.state))),
    h(Facts, {
      of: [
        ["given by", sign.granted_by && joined([sign.granted_by, sign.granted && h(Time, { at: sign.granted })])],
        ["renewed", sign.renewed && h(Time, { at: sign.renewed })],
        ["ends", sign.ends && h(Fragment, null, h(Time, { at: sign.ends }), ` (${away(sign.ends, now)}, unless it is renewed before)`)],
      ],
    }),
    h(Open, { link: sign.link }),
  );
}
