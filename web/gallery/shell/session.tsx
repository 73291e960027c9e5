import { Modal } from "@mantine/core";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import { type Client, Provider } from "urql";
import { useSession, type Viewer } from "../../shared/session";
import { connect } from "../client";
import { link } from "../connection";
import { Problem } from "../kit/Problem";
import { SignIn } from "./SignIn";

interface SignedIn {
  viewer: Viewer;
  /** Ends the session, and leads to the first page. Returns what went wrong. */
  signOut(): Promise<string | null>;
}

const Context = createContext<SignedIn | null>(null);

export function useSignedIn(): SignedIn {
  const value = useContext(Context);
  if (!value) throw new Error("nobody is signed in here");
  return value;
}

/** What the viewer may do. What it may not do is not offered. */
export function useRole() {
  const { role } = useSignedIn().viewer;
  return { role, mayEdit: role !== "VIEWER", mayAdminister: role === "ADMIN" };
}

/**
 * Shows the pages to who is signed in, and a form to everybody else. When a session ends while a page is open, the form
 * comes over it, and what was typed there is kept.
 */
export function Session({ children }: { children: ReactNode }) {
  const session = useSession();
  const { status } = session;
  const [viewer, setViewer] = useState<Viewer | null>(null);
  const [client, setClient] = useState<Client | null>(null);
  if (status.state === "signed-in" && !same(viewer, status.viewer)) setViewer(status.viewer);

  const waiting = useRef(new Set<() => void>());
  const current = useRef(session);
  useEffect(() => {
    current.current = session;
  });
  useEffect(() => {
    // Before those of the dialogs that the form lies over, which listen later.
    const swallow = (event: KeyboardEvent) => {
      if (event.key === "Escape" && current.current.status.state === "signed-out") event.stopImmediatePropagation();
    };
    window.addEventListener("keydown", swallow, { capture: true });
    return () => window.removeEventListener("keydown", swallow, { capture: true });
  }, []);
  useEffect(() => {
    if (!viewer) return;
    let asks = false;
    const connected = connect({
      // Asked once, however many answers say so: the server bounds how often a bad credential is shown.
      ended: () => {
        if (asks || current.current.status.state === "signed-out") return;
        asks = true;
        void current.current.recheck().finally(() => (asks = false));
      },
      back: (callback) => {
        waiting.current.add(callback);
        return () => void waiting.current.delete(callback);
      },
    });
    setClient(connected.client);
    return () => {
      setClient(null);
      waiting.current.clear(); // they are the client's, which asks for nothing any more
      connected.close();
    };
  }, [viewer]);

  useEffect(() => {
    if (status.state === "signed-out") link.signs(false);
    if (status.state !== "signed-in") return;
    link.signs(true);
    const callbacks = [...waiting.current];
    waiting.current.clear();
    for (const callback of callbacks) callback();
  }, [status]);

  const value = useMemo<SignedIn | null>(() => viewer && { viewer, signOut }, [viewer]);

  const asking = status.state === "signed-out";
  const form = <SignIn onSignedIn={() => void session.recheck()} again={viewer !== null} />;
  if (value && client) {
    return (
      <Context value={value}>
        {/* Of somebody else nothing is left, not even what was typed. */}
        <Provider key={`${value.viewer.orgId} ${value.viewer.subject}`} value={client}>
          {children}
        </Provider>
        <Modal opened={asking} onClose={() => {}} withCloseButton={false} title="Your session has ended" centered zIndex={1000}>
          {form}
        </Modal>
      </Context>
    );
  }
  if (asking) return <SignInPage>{form}</SignInPage>;
  if (status.state === "failed") {
    return (
      <SignInPage>
        <Problem what="Patchbay cannot tell who you are" trouble={{ message: status.reason, code: "OFFLINE", field: null }} retry={() => void session.recheck()} />
      </SignInPage>
    );
  }
  return null; // for the moment that asking takes
}

function SignInPage({ children }: { children: ReactNode }) {
  return (
    <main style={{ maxWidth: "26rem", margin: "0 auto", padding: "12vh 1rem 2rem" }}>
      <h1 style={{ fontSize: "1.5rem", margin: "0 0 1rem" }}>Patchbay</h1>
      {children}
    </main>
  );
}

function same(a: Viewer | null, b: Viewer): boolean {
  return a !== null && a.subject === b.subject && a.orgId === b.orgId && a.role === b.role;
}

// A form would not do: without a referrer its Origin is null, which the server takes for another site's.
async function signOut(): Promise<string | null> {
  const answer = await fetch("/sign-out", { method: "POST", redirect: "manual", cache: "no-store" }).catch(() => null);
  if (answer?.type !== "opaqueredirect") return "Signing out failed, and the session goes on. Try again.";
  location.assign("/");
  return null;
}
