import type { Integration, ScheduleInput } from "./operations";

/** When an integration synchronises by itself, as the form holds it. */
export type Schedule = { kind: "off" } | { kind: "every"; minutes: string } | { kind: "cron"; cron: string; timeZone: string };

export const offSchedule: Schedule = { kind: "off" };

/** What is offered, in minutes. */
export const presets: [minutes: number, words: string][] = [
  [5, "Every 5 minutes"],
  [15, "Every 15 minutes"],
  [30, "Every 30 minutes"],
  [60, "Every hour"],
  [360, "Every 6 hours"],
  [720, "Every 12 hours"],
  [1440, "Every day"],
  [10080, "Every week"],
];

export function scheduleOf(stored: Integration["syncState"]["schedule"]): Schedule {
  if (!stored) return offSchedule;
  if (stored.everyMinutes !== null) return { kind: "every", minutes: String(stored.everyMinutes) };
  return { kind: "cron", cron: stored.cron ?? "", timeZone: stored.timeZone ?? "UTC" };
}

/** As the API takes it. What is no number goes as none, which the server refuses. */
export function scheduleInput(schedule: Schedule): ScheduleInput | null {
  switch (schedule.kind) {
    case "off":
      return null;
    case "every":
      return { everyMinutes: /^\d{1,9}$/.test(schedule.minutes.trim()) ? Number(schedule.minutes) : 0 };
    case "cron":
      return { cron: schedule.cron.trim(), timeZone: schedule.timeZone };
  }
}

/** What the select shows: a preset's minutes, "every" for others, "cron" or "off". */
export function choiceOf(schedule: Schedule): string {
  if (schedule.kind !== "every") return schedule.kind;
  return presets.some(([minutes]) => String(minutes) === schedule.minutes) ? schedule.minutes : "every";
}

/** What follows from choosing. */
export function chosen(choice: string, before: Schedule, timeZone: string): Schedule {
  if (choice === "off") return offSchedule;
  if (choice === "cron") return before.kind === "cron" ? before : { kind: "cron", cron: "0 6 * * 1-5", timeZone };
  if (choice === "every") return { kind: "every", minutes: before.kind === "every" ? before.minutes : "90" };
  return { kind: "every", minutes: choice };
}

/** The time zones that browsers know, with UTC and the one that is set. */
export function timeZones(present: string): string[] {
  return [...new Set(["UTC", present, ...Intl.supportedValuesOf("timeZone")])].sort();
}
