/**
 * What is read from our routes and what is sent to Airflow's and to ours, always with the person's own session.
 *
 * A path is read by one store, however many parts show it: with an ETag, again after some seconds, never while nobody
 * looks at the page, less and less often while it fails, and not again once Airflow says that it is not for this person.
 */

import { useCallback, useMemo, useSyncExternalStore } from "./host.js";

const ROUTES = new URL("../api/", import.meta.url);
const OURS = { "X-Nightshift-Board": "1" };
const LONGEST = 300;
const SLOW = 30_000;

/**
 * Why something could not be read or done.
 *
 * @typedef {object} Failure
 * @property {number} status HTTP status; 0: no answer
 * @property {string} title
 * @property {string} detail
 * @property {string} advice
 */

/**
 * @template T
 * @typedef {object} Shown what a part shows of a path
 * @property {T | undefined} data the last good answer, kept while newer ones fail
 * @property {Failure | null} failure
 * @property {boolean} loading
 * @property {number} seen when the last good answer came, milliseconds; 0: never
 */

const SAID = {
  0: ["No answer", "The API server of Airflow does not answer.", "Look at the network; this page tries again by itself."],
  401: ["Not signed in", "Airflow has ended your session.", "Sign in to Airflow again, then open this page anew."],
  403: ["No permission", "Airflow does not let you see this.", "Ask an administrator for the permission to read it."],
  404: ["Not found", "There is no such thing, or none that you may see.", "Go back to the overview."],
};

/** @param {number} status @param {any} body @returns {Failure} */
function failure(status, body) {
  const [title, detail, advice] =
    SAID[status] ?? ["Broken", `The server answered ${status}.`, "Its log says why; this page tries again by itself."];
  const told = body?.detail;
  if (typeof body?.title === "string") {
    return { status, title: body.title, detail: told || detail, advice: body.advice || advice };
  }
  if (typeof told === "string") return { status, title, detail: told, advice };
  if (Array.isArray(told)) return { status, title, detail: told.map((one) => one?.msg ?? "").join("; "), advice };
  return { status, title, detail: told?.message ?? told?.reason ?? detail, advice };
}

/** Keep what is equal of an older answer, so that what shows it is not rendered again. */
export function shared(old, fresh) {
  if (old === fresh || typeof old !== typeof fresh || !old || !fresh || typeof fresh !== "object") return fresh;
  if (Array.isArray(old) !== Array.isArray(fresh)) return fresh;
  const keys = Object.keys(fresh);
  let same = keys.length === Object.keys(old).length;
  const merged = Array.isArray(fresh) ? new Array(fresh.length) : {};
  for (const key of keys) {
    merged[key] = Object.hasOwn(old, key) ? shared(old[key], fresh[key]) : fresh[key];
    same &&= Object.hasOwn(old, key) && merged[key] === old[key];
  }
  return same ? old : merged;
}

/** An answer that has not changed, at a later time. */
const at = (data, date) => (date && Object.hasOwn(data ?? {}, "now") ? { ...data, now: new Date(date).toISOString() } : data);

class Store {
  constructor(path) {
    this.path = path;
    this.shown = { data: undefined, failure: null, loading: true, seen: 0 };
    this.listeners = new Map();
    this.etag = "";
    this.failures = 0;
    this.asking = null;
    this.timer = 0;
    this.look = () => {
      if (document.visibilityState === "visible") this.plan();
      else clearTimeout(this.timer);
    };
  }

  subscribe(listener, every) {
    if (this.listeners.size === 0) {
      document.addEventListener("visibilitychange", this.look);
      addEventListener("online", this.look);
    }
    this.listeners.set(listener, every);
    this.plan();
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      document.removeEventListener("visibilitychange", this.look);
      removeEventListener("online", this.look);
      clearTimeout(this.timer);
    };
  }

  /** Ask at once if it is time, else later. */
  plan() {
    clearTimeout(this.timer);
    if (this.listeners.size === 0 || document.visibilityState !== "visible") return;
    if ([401, 403, 404].includes(this.shown.failure?.status)) return;
    const every = Math.min(...this.listeners.values());
    const pause = this.failures ? Math.min(every * 2 ** this.failures, LONGEST) * (0.8 + Math.random() / 5) : every;
    const due = this.last === undefined ? 0 : this.last + pause * 1000 - Date.now();
    if (due <= 0) this.ask();
    else if (Number.isFinite(due)) this.timer = setTimeout(() => this.ask(), due);
  }

  /** Ask now, also where it was said to be not for this person. */
  ask() {
    this.asking ??= this.read().finally(() => {
      this.asking = null;
      this.last = Date.now();
      this.plan();
    });
    return this.asking;
  }

  async read() {
    let status = 0;
    let body;
    try {
      const headers = this.etag ? { "If-None-Match": this.etag } : {};
      const answer = await fetch(new URL(this.path, ROUTES), {
        headers, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(SLOW),
      });
      status = answer.status;
      if (status === 304) return this.good(at(this.shown.data, answer.headers.get("Date")));
      body = await answer.json();
      if (answer.ok) {
        this.etag = answer.headers.get("ETag") ?? "";
        return this.good(shared(this.shown.data, body));
      }
    } catch {
      // No answer, or one that is not JSON: what is shown for the status is all that can be said.
    }
    this.failures += 1;
    return this.show({ ...this.shown, failure: failure(status >= 200 && status < 300 ? 502 : status, body), loading: false });
  }

  good(data) {
    this.failures = 0;
    this.show({ data, failure: null, loading: false, seen: Date.now() });
  }

  show(shown) {
    this.shown = shown;
    for (const listener of this.listeners.keys()) listener();
  }
}

/** @type {Map<string, Store>} */
const stores = new Map();

function storeOf(path) {
  if (!stores.has(path)) stores.set(path, new Store(path));
  return stores.get(path);
}

/**
 * Read a path of our routes and keep it fresh while it is shown.
 *
 * @param {string | null} path relative to `api/`; null: nothing is read
 * @param {number} every seconds between two looks; Infinity: read once
 * @returns {Shown<any> & {reload: () => Promise<void>}}
 */
export function useAnswer(path, every = 20) {
  const store = useMemo(() => (path === null ? null : storeOf(path)), [path]);
  const subscribe = useCallback((listener) => store?.subscribe(listener, every) ?? (() => {}), [store, every]);
  const shown = useSyncExternalStore(subscribe, () => store?.shown ?? NOTHING);
  const reload = useCallback(() => store?.ask() ?? Promise.resolve(), [store]);
  return useMemo(() => ({ ...shown, reload }), [shown, reload]);
}

const NOTHING = { data: undefined, failure: null, loading: false, seen: 0 };

/** Read anew what is shown, after something was pressed. */
export function refresh() {
  return Promise.all([...stores.values()].filter((store) => store.listeners.size > 0).map((store) => store.ask()));
}

/** A request that was refused, or whose answer says that what was asked for did not come out well. */
export class Refused extends Error {
  /** @param {Failure} why */
  constructor(why) {
    super(`${why.title}: ${why.detail}`);
    this.why = why;
  }
}

/** Put answers where the body of a call has `${name}`. */
export function filled(body, answers) {
  if (Array.isArray(body)) return body.map((one) => filled(one, answers));
  if (body && typeof body === "object") {
    return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, filled(value, answers)]));
  }
  const name = typeof body === "string" ? /^\$\{(\w+)\}$/.exec(body)?.[1] : undefined;
  return name !== undefined && Object.hasOwn(answers, name) ? answers[name] : body;
}

/**
 * Make one call of a press.
 *
 * @param {import("./types.js").ApiCall} call
 * @param {Record<string, string | null>} answers
 * @returns {Promise<any>} the answer's body
 * @throws {Refused}
 */
export async function send(call, answers) {
  const url = new URL(call.path, document.baseURI);
  if (url.origin !== location.origin) {
    throw new Refused({ status: 0, title: "Not sent", detail: "The call leads to another site.", advice: "" });
  }
  let answer;
  let body;
  try {
    answer = await fetch(url, {
      method: call.method,
      headers: { "Content-Type": "application/json", ...OURS },
      body: JSON.stringify(filled(call.body, answers)),
      credentials: "same-origin",
    });
    body = await answer.json().catch(() => undefined);
  } catch {
    throw new Refused({
      status: 0,
      title: "No answer",
      detail: "Whether it was done is not known.",
      advice: "Look at what the board shows next before you press again.",
    });
  }
  if (!answer.ok) throw new Refused(failure(answer.status, body));
  if (Object.hasOwn(body ?? {}, "status") && body.status === false) {
    throw new Refused({ status: answer.status, title: "It did not work", detail: String(body.message ?? ""), advice: "" });
  }
  return body;
}

/** Read something of Airflow's own API. @throws {Refused} */
export async function airflow(path) {
  const answer = await fetch(new URL(path, document.baseURI), { credentials: "same-origin" });
  const body = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Refused(failure(answer.status, body));
  return body;
}
