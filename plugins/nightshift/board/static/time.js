/** Times, durations and numbers for people: in the time zone that the person chose in Airflow, and short. */

import { h, useSyncExternalStore } from "./host.js";

const KEY = "timezone";
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** The zone that is chosen in Airflow's menu; it is kept by the browser, as JSON. Default: the browser's own. */
export function zone() {
  try {
    const chosen = JSON.parse(localStorage.getItem(KEY) ?? "null");
    if (typeof chosen === "string") {
      new Intl.DateTimeFormat("en", { timeZone: chosen });
      return chosen;
    }
  } catch {
    // Not JSON, no such zone, or no storage in this browser: its own zone is right.
  }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The zone, rendered anew when the person chooses another: Airflow tells its own window by the second event. */
export const useZone = () =>
  useSyncExternalStore((changed) => {
    for (const event of ["storage", "local-storage"]) addEventListener(event, changed);
    return () => {
      for (const event of ["storage", "local-storage"]) removeEventListener(event, changed);
    };
  }, zone);

const made = new Map();

/** @param {Date} moment @param {string} timeZone @returns {Record<string, string>} its parts in a zone */
function parts(moment, timeZone) {
  if (!made.has(timeZone)) {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone, weekday: "short", year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
      second: "2-digit", hourCycle: "h23",
    });
    const digits = new Intl.DateTimeFormat("en-GB", { timeZone, month: "2-digit", day: "2-digit" });
    made.set(timeZone, { format, digits });
  }
  const { format, digits } = made.get(timeZone);
  const found = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  for (const { type, value } of digits.formatToParts(moment)) {
    if (type === "month") found.mm = value;
    if (type === "day") found.dd = value;
  }
  return found;
}

/** `2026-11-27 06:00:12 Europe/Berlin` */
export function fully(at, timeZone) {
  const p = parts(new Date(at), timeZone);
  return `${p.year}-${p.mm}-${p.dd} ${p.hour}:${p.minute}:${p.second} ${timeZone}`;
}

/** `06:00` today, `Thu 06:00` within a week, `18 Nov` within a year, else `2025-11-18`; now is given for tests. */
export function shortly(at, timeZone, now = new Date()) {
  const moment = new Date(at);
  const p = parts(moment, timeZone);
  const today = parts(now, timeZone);
  const days = Math.abs(now.getTime() - moment.getTime()) / 1000 / DAY;
  if (p.year === today.year && p.mm === today.mm && p.dd === today.dd) return `${p.hour}:${p.minute}`;
  if (days < 6) return `${p.weekday} ${p.hour}:${p.minute}`;
  return days < 300 ? `${p.day} ${p.month}` : `${p.year}-${p.mm}-${p.dd}`;
}

/**
 * A moment, as `<time>`; the whole of it is told on hover.
 *
 * @param {{at: string | null}} props
 */
export function Time({ at }) {
  const timeZone = useZone();
  if (!at) return "–";
  return h("time", { dateTime: at, title: fully(at, timeZone) }, shortly(at, timeZone));
}

/** `2 h 10 min`; two units at most. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) {
    const rest = whole % MINUTE;
    return whole < 10 * MINUTE && rest ? `${Math.floor(whole / MINUTE)} min ${rest} s` : `${Math.round(whole / MINUTE)} min`;
  }
  const minutes = Math.round(whole / MINUTE);
  if (whole < 2 * DAY) return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
  const hours = Math.round(whole / HOUR);
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** Seconds from a moment to another; negative where it is past. */
export const secondsTo = (at, now) => (Date.parse(at) - Date.parse(now)) / 1000;

/** `in 2 h 10 min`, `3 min ago` */
export function away(at, now) {
  const seconds = secondsTo(at, now);
  return seconds >= 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`;
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A night is a day of the calendar and has no zone. @param {string} night `YYYY-MM-DD` */
export function nightParts(night) {
  const day = new Date(`${night}T00:00:00Z`);
  return {
    weekday: WEEKDAYS[day.getUTCDay()], day: day.getUTCDate(), month: MONTHS[day.getUTCMonth()],
    weekend: day.getUTCDay() % 6 === 0,
  };
}

/** `Fri 2026-11-27` */
export const nightName = (night) => `${nightParts(night).weekday} ${night}`;

/** `Fri 27 Nov` */
export function nightShortly(night) {
  const { weekday, day, month } = nightParts(night);
  return `${weekday} ${day} ${month}`;
}

const NUMBER = new Intl.NumberFormat("en");

/** `12,400` */
export const number = (value) => NUMBER.format(value);

/** `1 night`, `2 nights` */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** `1.2 MB` */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/**
 * The moment of a clock time in a zone, for a field in which a person writes one.
 *
 * @param {string} local `2026-11-27T06:00`
 * @returns {string} UTC, ISO 8601
 */
export function momentOf(local, timeZone) {
  const wanted = Date.parse(`${local}:00Z`);
  let guess = wanted;
  for (let look = 0; look < 2; look += 1) {
    const p = parts(new Date(guess), timeZone);
    const shown = Date.parse(`${p.year}-${p.mm}-${p.dd}T${p.hour}:${p.minute}:00Z`);
    guess += wanted - shown;
  }
  return new Date(guess).toISOString();
}
