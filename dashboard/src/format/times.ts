/** Days and times in the shop's zone, and ages in words. */

import type { Text } from "../api/shapes";
import { UNKNOWN } from "./figures";

const DAY_MS = 86_400_000;

function noon(day: string): Date {
  return new Date(`${day}T12:00:00Z`);
}

function dated(day: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }).format(noon(day)).replace(",", "");
}

/** "Fri 20 Nov", or with the year. */
export function dayName(day: string, withYear = false): string {
  return dated(day, { weekday: "short", day: "numeric", month: "short", ...(withYear ? { year: "numeric" } : {}) });
}

export function dateName(day: string, withYear = true): string {
  return dated(day, { day: "numeric", month: "short", ...(withYear ? { year: "numeric" } : {}) });
}

export function monthName(month: string): string {
  return dated(`${month}-15`, { month: "short", year: "numeric" });
}

export function weekday(day: string, style: "short" | "long" = "short"): string {
  return dated(day, { weekday: style });
}

export function addDays(day: string, days: number): string {
  return new Date(noon(day).getTime() + days * DAY_MS).toISOString().slice(0, 10);
}

/** The number of days from one to the other, both included. */
export function daysBetween(from: string, to: string): number {
  return Math.round((noon(to).getTime() - noon(from).getTime()) / DAY_MS) + 1;
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(noon(text).getTime()) && noon(text).toISOString().startsWith(text);
}

/** The city of a zone: "Europe/London" is London. */
export function place(zone: string): string {
  return (zone.split("/").at(-1) ?? zone).replaceAll("_", " ");
}

/** 571 is "09:31". */
export function minuteOfDay(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(zone: string, withDay: boolean): Intl.DateTimeFormat {
  const key = `${zone} ${withDay}`;
  let found = clocks.get(key);
  if (!found) {
    const day: Intl.DateTimeFormatOptions = withDay ? { day: "numeric", month: "short", year: "numeric" } : {};
    found = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", ...day });
    clocks.set(key, found);
  }
  return found;
}

/** The instant in the shop's zone. */
export function timeIn(zone: string, instant: Text | undefined): string {
  return instant == null ? UNKNOWN : clock(zone, false).format(new Date(instant));
}

export function momentIn(zone: string, instant: Text | undefined): string {
  return instant == null ? UNKNOWN : clock(zone, true).format(new Date(instant));
}

/** The shop's day at an instant, as `2026-01-31`. */
export function dayIn(zone: string, instant: number): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(new Date(instant));
}

/** "0.2 s", "42 s", "5 min", "3 h", "2 days". */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}
