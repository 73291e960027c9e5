import type { CombinedError } from "urql";
import { clock } from "../kit/words";
import { type Trouble, trouble } from "../errors";

/** Why a provider's structure cannot be read, and what helps. */
interface Refusal {
  words: string;
  trouble: Trouble;
  /** Other settings do; another try, where not. */
  fix: boolean;
}

export function refusal(error: CombinedError, provider: string, now: Date): Refusal {
  const found = trouble(error) as Trouble;
  const { reason, retryAfterSeconds } = (error.graphQLErrors[0]?.extensions ?? {}) as { reason?: string; retryAfterSeconds?: number };
  if (found.code === "CREDENTIALS_UNREADABLE" || found.code === "BAD_USER_INPUT") {
    return { words: "The settings do not suffice", trouble: found, fix: true };
  }
  switch (reason) {
    case "auth_failed":
      return {
        words: `${provider} refused the credentials`,
        trouble: { ...found, message: `They may be mistyped, revoked or expired. ${found.message.replace(/^.* refused the credentials: it /, "It ")}` }, // else it says so twice
        fix: true,
      };
    case "permission":
    case "not_found":
      return { words: `${provider} does not give access to what the settings name`, trouble: found, fix: true };
    case "rate_limited": {
      const after = retryAfterSeconds === undefined ? null : clock(new Date(now.getTime() + retryAfterSeconds * 1000));
      const message = after ? `It takes requests again at ${after}. What was read until now is kept, and the next try goes on there.` : found.message;
      return { words: `${provider}'s rate limit is used up`, trouble: { ...found, message }, fix: false };
    }
    case "unavailable":
      return { words: `${provider} did not answer as it should`, trouble: found, fix: false };
    default:
      return { words: "What there is to import cannot be read", trouble: found, fix: false };
  }
}
