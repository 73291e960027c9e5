import type { CombinedError } from "urql";
import { capital } from "./kit/words";

/** What went wrong, as a person may be told it. */
export interface Trouble {
  message: string;
  /** The API's code; "OFFLINE" where the server could not be reached. */
  code: string;
  /** The input that is at fault, where one is. */
  field: string | null;
}

/** The codes of GraphQL's errors; of anything else there are none. */
export function codes(errors: unknown): unknown[] {
  return Array.isArray(errors) ? errors.map(({ extensions }) => extensions?.code as unknown) : [];
}

/** The first trouble of an answer; null where there is none. */
export function trouble(error: CombinedError | undefined): Trouble | null {
  return error ? (troubles(error)[0] ?? null) : null;
}

/** Every trouble of an answer: one for each field that is at fault. */
export function troubles(error: CombinedError): Trouble[] {
  if (error.graphQLErrors.length > 0) {
    return error.graphQLErrors.map(({ message, extensions }) => ({
      message: sentence(message),
      code: typeof extensions.code === "string" ? extensions.code : "INTERNAL",
      field: typeof extensions.field === "string" ? extensions.field : null,
    }));
  }
  const status = (error.response as Response | undefined)?.status;
  return status === undefined || status === 0
    ? [{ message: "The server cannot be reached.", code: "OFFLINE", field: null }]
    : [{ message: `The server answered ${status}, and not with what was asked for.`, code: "INTERNAL", field: null }];
}

/** The API's messages begin in lower case, and have no full stop. */
function sentence(message: string): string {
  const text = capital(message);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
