import { localStorageColorSchemeManager, MantineProvider, Skeleton } from "@mantine/core";
import { Suspense, useEffect } from "react";
import { Route, Switch, useLocation } from "wouter";
import { Catalogue } from "./catalogue/Catalogue";
import { Empty } from "./kit/Empty";
import { focusMain } from "./kit/focusMain";
import { lazily } from "./kit/lazily";
import { ReturnFocus } from "./kit/ReturnFocus";
import { nonce } from "./nonce";
import { useAddress } from "./shell/address";
import { ConnectionBanner } from "./shell/ConnectionBanner";
import { ErrorBoundary } from "./shell/ErrorBoundary";
import { Header } from "./shell/Header";
import { Live } from "./shell/Live";
import { PageChange } from "./shell/PageChange";
import { ScopeProvider } from "./shell/scope";
import { Session } from "./shell/session";
import classes from "./shell/shell.module.css";
import { cssVariables, theme } from "./theme";

const ConnectDrawer = lazily(() => import("./connect/ConnectDrawer"));
const ImportDialog = lazily(() => import("./importing/ImportDialog"));
const IntegrationPage = lazily(() => import("./integration/IntegrationPage"));
const AdministrationPage = lazily(() => import("./administration/AdministrationPage"));

/** Loads the other parts while nothing else is to be done: later the server may be away. */
function loadAhead() {
  const load = () => [ConnectDrawer, ImportDialog, IntegrationPage, AdministrationPage].forEach((part) => part.load().catch(() => {}));
  if ("requestIdleCallback" in window) requestIdleCallback(load);
  else setTimeout(load, 2_000);
}

const colorSchemes = localStorageColorSchemeManager({ key: "patchbay:colour-scheme" });

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" colorSchemeManager={colorSchemes} getStyleNonce={() => nonce}>
      <ErrorBoundary>
        <Session>
          <button type="button" className={classes.skip} onClick={focusMain}>
            Skip to the content
          </button>
          <Header />
          <ConnectionBanner />
          <PageChange />
          <ErrorBoundary>
            <ScopeProvider>
              <Live />
              <main className={classes.main} tabIndex={-1}>
                <Pages />
              </main>
              <Dialogs />
            </ScopeProvider>
          </ErrorBoundary>
        </Session>
      </ErrorBoundary>
    </MantineProvider>
  );
}

function Pages() {
  const [path] = useLocation();
  useEffect(loadAhead, []);
  return (
    <ErrorBoundary at={path}>
      <Suspense fallback={<Skeleton height={240} />}>
        <Switch>
          <Route path="/">
            <Catalogue />
          </Route>
          <Route path="/integrations/:id/:tab?">{({ id, tab }) => <IntegrationPage id={id} tab={tab ?? "overview"} />}</Route>
          <Route path="/administration/:section?">{({ section }) => <AdministrationPage section={section ?? "keys"} />}</Route>
          <Route>
            <Empty title="There is no such page" />
          </Route>
        </Switch>
      </Suspense>
    </ErrorBoundary>
  );
}

/** What the address opens over the page. */
function Dialogs() {
  const { open, close } = useAddress();
  if (!open) return null;
  const { dialog, value } = open;
  const at = `${dialog} ${value}`;
  return (
    <ErrorBoundary at={at}>
      <Suspense>
        <ReturnFocus key={at}>
          {dialog === "import" ? (
            <ImportDialog integrationId={value} onClose={close} />
          ) : (
            <ConnectDrawer target={dialog === "connect" ? { provider: value } : { integrationId: value }} onClose={close} />
          )}
        </ReturnFocus>
      </Suspense>
    </ErrorBoundary>
  );
}
