import { actorInWords } from "./words";

/** Whoever acted, by name; whole on hover. */
export function Actor({ of: actor }: { of: string }) {
  return <span title={actor}>{actorInWords(actor).name}</span>;
}
