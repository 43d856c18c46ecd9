/** What can be pressed: a button, and a dialog that says what will happen before anything does. */

import {
  Alert, Button, Dialog, Fragment, Input, NativeSelect, Portal, Textarea, h, useEffect, useId, useLocation, useState,
  useSyncExternalStore,
} from "./host.js";
import { Refused, refresh, send } from "./api.js";
import { Glyph } from "./parts.js";
import { momentOf, useZone } from "./time.js";

/** What somebody has opened. It stays open when what offered it is gone, as it is once it was done. */
const opened = {
  press: null,
  listeners: new Set(),
  subscribe(listener) {
    opened.listeners.add(listener);
    return () => opened.listeners.delete(listener);
  },
  set(press) {
    opened.press = press;
    for (const listener of opened.listeners) listener();
  },
};

/** The dialog of what is opened, once for all that can be pressed. Who goes to another place leaves it. */
export function PressDialog() {
  const press = useSyncExternalStore(opened.subscribe, () => opened.press);
  const { key } = useLocation();
  useEffect(() => () => opened.set(null), [key]);
  return press && h(Confirm, { press, onClose: () => opened.set(null) });
}

const NOTHING = { stage: "asking", done: 0, why: null, said: "" };

/**
 * A button for what may be pressed. Whoever may not press it sees it all the same, with the permission that it takes.
 *
 * @param {{press: import("./types.js").Press, size?: string, main?: boolean}} props
 */
export function PressButton({ press, size = "sm", main = false }) {
  const needs = useId();
  const variant = main && press.allowed ? "solid" : "outline";
  return h(
    Fragment, null,
    h(
      Button,
      {
        size, variant, colorPalette: press.danger ? "danger" : "brand", "aria-haspopup": "dialog",
        "aria-disabled": !press.allowed || undefined, "aria-describedby": press.allowed ? undefined : needs,
        className: press.allowed ? "ns-press" : "ns-press ns-forbidden",
        onClick: () => press.allowed && opened.set(press),
      },
      !press.allowed && h(Glyph, { of: "lock" }), press.label, " …",
    ),
    !press.allowed && h("span", { id: needs, className: "ns-needs" }, `Needs: ${press.needs}`),
  );
}

/** The presses of something, in a row. The first that is not dangerous stands out. */
export function Presses({ presses, size, quiet = false }) {
  if (presses.length === 0) return null;
  const first = quiet ? undefined : presses.find((press) => press.allowed && !press.danger);
  return h(
    "div", { className: "ns-presses" },
    presses.map((press, index) => h(PressButton, { key: `${press.kind}-${index}`, press, size, main: press === first })),
  );
}

/** @param {{press: import("./types.js").Press, onClose: () => void}} props */
function Confirm({ press, onClose }) {
  const timeZone = useZone();
  const [given, setGiven] = useState({});
  const [{ stage, done, why, said }, setState] = useState(NOTHING);
  const lacking = press.asks.filter((ask) => !ask.optional && !(given[ask.name] ?? "").trim());
  const busy = stage === "sending";

  const go = async (event) => {
    event.preventDefault();
    if (lacking.length > 0 || busy) return;
    let sent = 0;
    setState({ ...NOTHING, stage: "sending" });
    try {
      let answer;
      for (const call of press.calls) {
        answer = await send(call, answersOf(press.asks, given, timeZone));
        sent += 1;
        setState({ ...NOTHING, stage: "sending", done: sent });
      }
      setState({ ...NOTHING, stage: "done", said: Object.hasOwn(answer ?? {}, "message") ? String(answer.message) : "" });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setState({ ...NOTHING, stage: "failed", done: sent, why: error.why });
    }
    refresh();
  };

  return h(
    Dialog.Root,
    { open: true, size: "md", role: press.danger ? "alertdialog" : "dialog", onOpenChange: ({ open }) => !open && !busy && onClose() },
    h(Portal, null, h(Dialog.Backdrop), h(
      Dialog.Positioner, null,
      h(
        Dialog.Content, { className: "ns ns-dialog" },
        h(
          "form", { onSubmit: go, noValidate: true },
          h(Dialog.Header, null, h(Dialog.Title, null, press.label)),
          h(
            Dialog.Body, null,
            h(Dialog.Description, { className: "ns-says" }, press.says),
            stage !== "done" && press.asks.map((ask) => h(Field, {
              key: ask.name, ask, timeZone, value: given[ask.name] ?? "",
              onChange: (value) => setGiven((before) => ({ ...before, [ask.name]: value })),
            })),
            stage === "failed" && h(Failed, { press, done, why }),
            stage === "done" && h(
              Alert.Root, { status: "success", role: "status" }, h(Alert.Indicator),
              h(Alert.Content, null, h(Alert.Title, null, "Done"), said && h(Alert.Description, null, said)),
            ),
          ),
          h(
            Dialog.Footer, null,
            h(Button, { variant: "outline", onClick: onClose, disabled: busy }, stage === "done" ? "Close" : "Back"),
            stage !== "done" && h(
              Button,
              {
                type: "submit", loading: busy, disabled: lacking.length > 0 || busy,
                loadingText: press.calls.length > 1 ? `${done} of ${press.calls.length}` : undefined,
                colorPalette: press.danger ? "danger" : "brand",
              },
              stage === "failed" ? "Try again" : press.label,
            ),
          ),
        ),
      ),
    )),
  );
}

const Failed = ({ press, done, why }) =>
  h(
    Alert.Root, { status: "error", role: "alert" }, h(Alert.Indicator),
    h(
      Alert.Content, null, h(Alert.Title, null, why.title),
      h(
        Alert.Description, null, why.detail, " ", why.status === 403 ? `It needs: ${press.needs}. ` : "", why.advice,
        press.calls.length > 1 ? ` ${done} of ${press.calls.length} were done before.` : "",
      ),
    ),
  );

/** @param {{ask: import("./types.js").Ask, value: string, onChange: (value: string) => void, timeZone: string}} props */
function Field({ ask, value, onChange, timeZone }) {
  const id = useId();
  const change = (event) => onChange(event.target.value);
  const more = ask.kind === "moment" ? `Time in ${timeZone}.` : "";
  const props = { id, value, onChange: change, "aria-required": !ask.optional, "aria-describedby": more ? `${id}-more` : undefined };
  return h(
    "div", { className: "ns-field" },
    h("label", { htmlFor: id }, ask.label, ask.optional && h("span", { className: "ns-mute" }, " (may be left empty)")),
    ask.kind === "choice" && h(
      NativeSelect.Root, null,
      h(
        NativeSelect.Field, props, h("option", { value: "" }, ask.optional ? "–" : "Choose …"),
        ask.choices.map((choice) => h("option", { key: choice, value: choice }, choice)),
      ),
      h(NativeSelect.Indicator),
    ),
    ask.kind === "moment" && h(Input, { ...props, type: "datetime-local" }),
    ask.kind === "text" && h(Textarea, { ...props, rows: 2, maxLength: 1000 }),
    more && h("div", { id: `${id}-more`, className: "ns-mute" }, more),
  );
}

/** What is sent for each question; what was left empty is null. */
export const answersOf = (asks, given, timeZone) =>
  Object.fromEntries(asks.map((ask) => {
    const value = (given[ask.name] ?? "").trim();
    if (value === "") return [ask.name, null];
    return [ask.name, ask.kind === "moment" ? momentOf(value, timeZone) : value];
  }));
