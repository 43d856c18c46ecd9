/**
 * What Airflow's UI hands to a plugin: React, its router and Chakra's components, in Airflow's own theme. Nothing of it
 * is shipped here. Each name is undefined where the host has none: `board.js` looks at `missing` before it uses any.
 */

const React = globalThis.React ?? {};
const Chakra = globalThis.ChakraUI ?? {};
const Router = globalThis.ReactRouterDOM ?? {};

/** Names that this host lacks. */
export const missing = ["React", "ReactRouterDOM", "ChakraUI"].filter((name) => globalThis[name] === undefined);

export const h = React.createElement;
export const {
  Component, Fragment, memo, useCallback, useDeferredValue, useEffect, useId, useLayoutEffect, useMemo, useRef, useState,
  useSyncExternalStore,
} = React;
export const { Alert, Button, Dialog, Input, NativeSelect, Portal, Skeleton, Spinner, Textarea } = Chakra;
export const { Link: RouterLink, useLocation, useNavigate, useSearchParams } = Router;

/** Paths under the base of the UI that are no view of its router. */
const SERVED = /^(nightshift|api|auth|static|pluginsv2|execution|ui)(\/|$)/;

/**
 * Where a link of an answer leads: `http`, `https`, or a path relative to the base of the UI. Nothing else may be
 * clicked: what comes from the lake or from a vendor is data.
 *
 * @param {string} href
 * @returns {{kind: "view" | "page" | "web", to: string} | null} a view of Airflow's router, a page of this server, or
 *   another site
 */
export function destination(href) {
  let url;
  const base = new URL(document.baseURI);
  try {
    url = new URL(href, base);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  if (url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return { kind: "web", to: url.href };
  const path = url.pathname.slice(base.pathname.length);
  if (SERVED.test(path)) return { kind: "page", to: url.href };
  return { kind: "view", to: `/${path}${url.search}${url.hash}` };
}

/** Add the style sheet to the host's page, once, and tell when it is there. */
export function style() {
  const href = new URL("board.css", import.meta.url).href;
  const there = [...document.styleSheets].some((sheet) => sheet.href === href);
  if (there) return Promise.resolve();
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
    document.head.append(link);
  });
}
