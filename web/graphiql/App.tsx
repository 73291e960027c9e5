import type { Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { getOperationAST } from "graphql";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Subscriber, send, subscribe } from "../shared/api";
import { useSession } from "../shared/session";
import { AccountBar } from "./AccountBar";
import { type Example, examples, findIds, type Ids } from "./examples";
import { preferencesOnly } from "./storage";
import { editorTheme, Theme } from "./Theme";

/** A GraphiQL with its tabs: replaced as a whole when the examples are filled in anew. */
interface Workbench {
  ids: Ids;
  tabs: Example[];
  storage: ReturnType<typeof preferencesOnly>;
}

export function App() {
  const session = useSession();
  const { apiKey, status } = session;
  const [workbench, setWorkbench] = useState<Workbench | null>(null);
  const ran = useRef(false);

  useEffect(() => {
    if (status.state === "checking") return;
    let outdated = false;
    const viewer = status.state === "signed-in" ? status.viewer : null;
    void findIds(viewer, apiKey).then((ids) => {
      if (outdated) return;
      setWorkbench((current) => {
        const keep = current && (viewer === null || sameProject(current.ids, ids) || ran.current || edited(current));
        return keep ? current : { ids, tabs: examples(ids), storage: preferencesOnly() };
      });
    });
    return () => {
      outdated = true;
    };
  }, [status, apiKey]);

  // A new fetcher makes GraphiQL read the schema again: what it shows may depend on the key.
  const fetcher = useMemo<Fetcher>(
    () => (operation, options) => {
      if (operation.operationName !== "IntrospectionQuery") ran.current = true;
      const asked = options?.documentAST && getOperationAST(options.documentAST, operation.operationName);
      if (asked?.operation === "subscription") {
        return {
          subscribe: (subscriber: Subscriber) => ({
            unsubscribe: subscribe(operation, apiKey, options?.headers ?? {}, {
              ...subscriber,
              // As below.
              error: ({ message }) => {
                subscriber.next({ errors: [{ message }] });
                subscriber.complete();
              },
            }),
          }),
        } as ReturnType<Fetcher>;
      }
      // A thrown error would be shown with its stack.
      return send(operation, apiKey, options?.headers).catch((error: Error) => ({
        errors: [{ message: error.message }],
      })) as ReturnType<Fetcher>;
    },
    [apiKey],
  );

  return (
    <>
      <AccountBar session={session} />
      <main>
        {workbench && (
          <GraphiQL
            key={workbench.ids.newProjectId}
            fetcher={fetcher}
            // Null: introspection would only be refused.
            {...(status.state === "signed-in" ? {} : { schema: null })}
            schemaDescription
            inputValueDeprecation
            storage={workbench.storage}
            defaultTabs={workbench.tabs}
            // Without it the first tab opens with its query only.
            initialVariables={workbench.tabs[0]?.variables ?? ""}
            defaultEditorToolsVisibility="variables"
            shouldPersistHeaders={false}
            editorTheme={editorTheme}
          >
            <GraphiQL.Logo>{null}</GraphiQL.Logo>
            <Theme />
          </GraphiQL>
        )}
      </main>
    </>
  );
}

function sameProject(a: Ids, b: Ids): boolean {
  const existing = (ids: Ids) => (ids.projectId === ids.newProjectId ? null : ids.projectId);
  return a.orgId === b.orgId && existing(a) === existing(b);
}

/** Whether a tab differs from its example, by what GraphiQL has stored. */
function edited({ tabs, storage }: Workbench): boolean {
  const stored = storage.getItem("graphiql:tabState");
  if (!stored) return false;
  const state = JSON.parse(stored) as { tabs: Partial<Example>[] };
  return (
    state.tabs.length !== tabs.length ||
    state.tabs.some((tab, index) => tab.query !== tabs[index]?.query || (tab.variables ?? "") !== tabs[index]?.variables)
  );
}
