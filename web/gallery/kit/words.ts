// Numbers and times in the reader's own language's manner, in English words.

const relativeTime = new Intl.RelativeTimeFormat("en", { numeric: "always" }); // rounded down, "yesterday" would be two days ago
const exactTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const dateAlone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const clockTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const number = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** "4 minutes ago", "in 2 hours", "just now". */
export function relative(at: Date, now: Date): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relativeTime.format(Math.trunc(seconds / length), unit);
  }
  return seconds > 5 ? "in a moment" : "just now";
}

/** With date, seconds and the reader's time zone's clock. */
export function exact(at: Date): string {
  return exactTime.format(at);
}

/** "21 Feb 2027". */
export function date(at: Date): string {
  return dateAlone.format(at);
}

/** "14:32". */
export function clock(at: Date): string {
  return clockTime.format(at);
}

/** "about 3 minutes", "less than a minute". */
export function about(seconds: number): string {
  if (seconds < 50) return "less than a minute";
  if (seconds < 5_400) return `about ${plural(Math.max(1, Math.round(seconds / 60)), "minute")}`;
  return `about ${plural(Math.round(seconds / 3_600), "hour")}`;
}

/** "12,340". */
export function count(n: number): string {
  return number.format(n);
}

/** "12.3K", for where there is little room. */
export function briefly(n: number): string {
  return compact.format(n);
}

/** "1 item", "2 items". */
export function plural(n: number, noun: string, many = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : many}`;
}

/** "dueDate" is "Due date". */
export function inWords(name: string): string {
  if (!/^[a-z]+(?:[A-Z][a-z]*)*$/.test(name)) return name; // somebody's own
  const spaced = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return capital(spaced);
}

/** "admin" is "Admin". */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
