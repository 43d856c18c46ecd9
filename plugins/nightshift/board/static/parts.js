/** What all views are made of: a part that can be empty, loading, broken or not for this person; chips, facts, links. */

import { Alert, Button, Component, Fragment, RouterLink, Skeleton, destination, h } from "./host.js";

/** How a state is called, and its tone: good, busy, wait, late, bad, none. The tone has the colour, the glyph the shape. */
export const CELLS = {
  published: { name: "published", tone: "good", glyph: "" },
  rebuilt: { name: "rebuilt", tone: "good", glyph: "corner" },
  empty: { name: "empty", tone: "good", glyph: "ring" },
  running: { name: "running", tone: "busy", glyph: "play" },
  early: { name: "not whole", tone: "wait", glyph: "clock" },
  late: { name: "late", tone: "late", glyph: "clock" },
  failed: { name: "failed", tone: "bad", glyph: "cross" },
  drifted: { name: "drifted", tone: "bad", glyph: "unequal" },
  unsound: { name: "unsound", tone: "bad", glyph: "bolt" },
  unproven: { name: "unproven", tone: "wait", glyph: "question" },
  never: { name: "never", tone: "none", glyph: "" },
};

export const STAGES = {
  never: { name: "nothing yet", tone: "none", glyph: "" },
  deployed: { name: "deployed", tone: "good", glyph: "" },
  verifying: { name: "verifying", tone: "busy", glyph: "play" },
  verified: { name: "verified", tone: "good", glyph: "check" },
  verification_failed: { name: "verification failed", tone: "bad", glyph: "cross" },
  soaking: { name: "soaking", tone: "busy", glyph: "clock" },
  deploying: { name: "deploying", tone: "busy", glyph: "play" },
  in_doubt: { name: "in doubt", tone: "bad", glyph: "question" },
  failed: { name: "failed", tone: "bad", glyph: "cross" },
  rolled_back: { name: "rolled back", tone: "late", glyph: "back" },
};

const UNKNOWN = { name: "unknown", tone: "wait", glyph: "question" };

/** What is known of a state; one that a newer server has and this page does not know is said by its own name. */
export const stateOf = (states, state) =>
  Object.hasOwn(states, state) ? states[state] : { ...UNKNOWN, name: words(state) };

/** `rolled_back` as words. */
export const words = (text) => String(text).replaceAll("_", " ");

/** A shape of one colour; it is drawn by the style sheet, and the same on every machine. */
export const Glyph = ({ of }) => (of ? h("span", { className: `ns-glyph ns-g-${of}`, "aria-hidden": true }) : null);

/** @param {{tone: string, glyph?: string, title?: string, children?: any}} props */
export const Chip = ({ tone, glyph = "", title, children }) =>
  h("span", { className: `ns-chip ns-${tone}`, title }, h(Glyph, { of: glyph }), children);

export const StateChip = ({ states, state }) => {
  const { name, tone, glyph } = stateOf(states, state);
  return h(Chip, { tone, glyph }, name);
};

/** Name and value, one under the other; what has no value is left out. @param {{of: Array<[string, any]>}} props */
export const Facts = ({ of }) =>
  h(
    "dl", { className: "ns-facts" },
    of.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) =>
      h("div", { key: name }, h("dt", null, name), h("dd", null, value))),
  );

/** Things in a row, with something between them. */
export const joined = (things, between = " · ") =>
  things.filter((one) => one !== null && one !== undefined && one !== "" && one !== false)
    .map((one, index) => h(Fragment, { key: index }, index > 0 ? between : "", one));

/**
 * A link of an answer: a view of Airflow without loading the page anew, or a page that opens beside. Text where it leads
 * nowhere that may be clicked.
 *
 * @param {{link: import("./types.js").Link, className?: string}} props
 */
export function Open({ link, className = "ns-link" }) {
  const found = destination(link.href);
  if (found === null) return h("span", null, link.label);
  if (found.kind === "view") return h(RouterLink, { to: found.to, className }, link.label);
  return h(
    "a", { href: found.to, className, target: "_blank", rel: "noopener noreferrer" }, link.label,
    h(Glyph, { of: "out" }), h("span", { className: "ns-sr" }, " (opens in a new tab)"),
  );
}

export const Links = ({ links }) =>
  links.length === 0 ? null : h(
    "ul", { className: "ns-links" },
    links.map((link, index) => h("li", { key: index }, h(Open, { link }))),
  );

/** What is broken, with what to do. @param {{failure: import("./api.js").Failure, again?: () => void, kept?: boolean}} props */
export function Broken({ failure, again, kept = false }) {
  const mild = failure.status === 401 || failure.status === 403;
  return h(
    Alert.Root, { status: mild ? "info" : "error", role: "alert", className: "ns-alert" },
    h(Alert.Indicator),
    h(
      Alert.Content, null,
      h(Alert.Title, null, failure.title),
      h(
        Alert.Description, null,
        failure.detail, failure.detail && " ", failure.advice, kept && " What you see is the last good answer.",
      ),
    ),
    again && failure.status !== 403 && h(Button, { size: "xs", variant: "outline", onClick: again }, "Try again"),
  );
}

/** Parts of an answer that are not whole, beside those that are. @param {{troubles: import("./types.js").Trouble[]}} props */
export const Troubles = ({ troubles }) =>
  troubles.map((trouble, index) => h(
    Alert.Root, { key: index, status: "warning", role: "status", className: "ns-alert" },
    h(Alert.Indicator),
    h(
      Alert.Content, null,
      h(Alert.Title, null, trouble.of ? `${words(trouble.part)}: ${trouble.of}` : words(trouble.part)),
      h(Alert.Description, null, trouble.text),
    ),
  ));

/** Nothing to show, and why that is, and what to do. */
export const Empty = ({ title, children, glyph = "moon" }) =>
  h(
    "div", { className: "ns-empty" }, h(Glyph, { of: glyph }), h("strong", null, title), h("div", { className: "ns-mute" }, children),
  );

/** Bones of what is to come, as high as it will be. */
const Bones = ({ rows }) =>
  h(
    "div", { "aria-busy": true, role: "status", className: "ns-bones" }, h("span", { className: "ns-sr" }, "Loading"),
    Array.from({ length: rows }, (_, index) => h(Skeleton, { key: index, height: "28px" })),
  );

/** What throws while it is rendered takes its own part with it and no other, until there is another answer. */
class Fence extends Component {
  state = { error: null };

  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidUpdate({ of }) {
    if (of !== this.props.of && this.state.error !== null) this.setState({ error: null });
  }

  render() {
    if (this.state.error === null) return this.props.children;
    return h(Broken, {
      failure: {
        status: 500, title: "This part cannot be shown", detail: `${this.state.error.message}.`,
        advice: "Reload the page. If it stays: do the versions of Nightshift on the API server and in this page agree?",
      },
    });
  }
}

/** Within the fence, where what it throws is caught. */
const Drawn = ({ draw, data }) => draw(data);

/**
 * A part of the board, alone in what may be wrong with it.
 *
 * @param {object} props
 * @param {import("./api.js").Shown<any> & {reload?: () => Promise<void>}} props.answer what it shows
 * @param {(data: any) => any} props.children
 * @param {number} [props.rows] how high it will be, about
 */
export function Part({ answer, rows = 3, children }) {
  const { data, failure, loading } = answer;
  if (failure?.status === 401 || failure?.status === 403) return h(Broken, { failure, again: answer.reload });
  return h(
    Fragment, null,
    failure && h(Broken, { failure, again: answer.reload, kept: data !== undefined }),
    data === undefined ? loading && h(Bones, { rows }) : h(Fence, { of: data }, data.troubles && h(Troubles, { troubles: data.troubles }), h(Drawn, { draw: children, data })),
  );
}

/** A part with a heading. */
export const Section = ({ title, aside, children, id }) =>
  h(
    "section", { className: "ns-section", "aria-labelledby": id },
    h("div", { className: "ns-head" }, h("h2", { id }, title), aside), children,
  );
