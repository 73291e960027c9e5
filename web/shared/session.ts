import { useCallback, useEffect, useRef, useState } from "react";
import { type Answer, send } from "./api";

/** Who the requests run as. */
export interface Viewer {
  subject: string;
  orgId: string | null;
  role: "VIEWER" | "EDITOR" | "ADMIN";
}

export type Status =
  | { state: "checking" }
  | { state: "signed-in"; viewer: Viewer }
  | { state: "signed-out" }
  | { state: "key-refused" }
  | { state: "failed"; reason: string };

export interface Session {
  /** Held in memory only, and gone with the page. Null: the browser's session cookie counts. */
  apiKey: string | null;
  status: Status;
  useKey(apiKey: string | null): void;
  recheck(): Promise<void>;
}

/** Keeps the API key and asks the server who it belongs to. */
export function useSession(): Session {
  const [apiKey, setApiKey] = useState<string | null>(null);
  const [status, setStatus] = useState<Status>({ state: "checking" });
  const latest = useRef(0);

  const check = useCallback(async (key: string | null) => {
    const turn = ++latest.current;
    const next = await ask(key);
    if (turn === latest.current) setStatus(next);
  }, []);

  useEffect(() => void check(null), [check]);

  const useKey = useCallback(
    (key: string | null) => {
      setApiKey(key);
      setStatus({ state: "checking" });
      void check(key);
    },
    [check],
  );
  const recheck = useCallback(() => check(apiKey), [check, apiKey]);

  // The sign-in link may have been opened in another tab meanwhile.
  const waiting = status.state === "signed-out" || status.state === "failed";
  useEffect(() => {
    if (!waiting) return;
    const look = () => void recheck();
    window.addEventListener("focus", look);
    return () => window.removeEventListener("focus", look);
  }, [waiting, recheck]);

  return { apiKey, status, useKey, recheck };
}

async function ask(apiKey: string | null): Promise<Status> {
  let answer: Answer<{ viewer: Viewer }>;
  try {
    answer = await send({ query: "query Viewer { viewer { subject orgId role } }", operationName: "Viewer" }, apiKey);
  } catch (error) {
    return { state: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
  if (answer.data?.viewer) return { state: "signed-in", viewer: answer.data.viewer };
  if (answer.errors?.some((error) => error.extensions?.code === "UNAUTHENTICATED")) {
    return { state: apiKey === null ? "signed-out" : "key-refused" };
  }
  return { state: "failed", reason: answer.errors?.[0]?.message ?? "The server did not say who you are." };
}
