import { localStorageColorSchemeManager, MantineProvider, Skeleton } from "@mantine/core";
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { Route, Switch } from "wouter";
import { Catalogue } from "./catalogue/Catalogue";
import { Empty } from "./kit/Empty";
import { nonce } from "./nonce";
import { useAddress } from "./shell/address";
import { ConnectionBanner } from "./shell/ConnectionBanner";
import { ErrorBoundary } from "./shell/ErrorBoundary";
import { Header } from "./shell/Header";
import { Live } from "./shell/Live";
import { ScopeProvider } from "./shell/scope";
import { Session } from "./shell/session";
import classes from "./shell/shell.module.css";
import { cssVariables, theme } from "./theme";

const ConnectDrawer = lazy(() => import("./connect/ConnectDrawer"));
const ImportDialog = lazy(() => import("./importing/ImportDialog"));
const IntegrationPage = lazy(() => import("./integration/IntegrationPage"));
const AdministrationPage = lazy(() => import("./administration/AdministrationPage"));

const colorSchemes = localStorageColorSchemeManager({ key: "patchbay:colour-scheme" });

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" colorSchemeManager={colorSchemes} getStyleNonce={() => nonce}>
      <ErrorBoundary>
        <Session>
          <Header />
          <ConnectionBanner />
          <ErrorBoundary>
            <ScopeProvider>
              <Live />
              <main className={classes.main}>
                <Suspense fallback={<Skeleton height={240} />}>
                  <Pages />
                </Suspense>
              </main>
              <Suspense>
                <Dialogs />
              </Suspense>
            </ScopeProvider>
          </ErrorBoundary>
        </Session>
      </ErrorBoundary>
    </MantineProvider>
  );
}

function Pages() {
  return (
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
  );
}

/** What the address opens over the page. */
function Dialogs() {
  const { open, close } = useAddress();
  if (!open) return null;
  const { dialog, value } = open;
  return (
    <ReturnFocus key={`${dialog} ${value}`}>
      {dialog === "import" ? (
        <ImportDialog integrationId={value} onClose={close} />
      ) : (
        <ConnectDrawer target={dialog === "connect" ? { provider: value } : { integrationId: value }} onClose={close} />
      )}
    </ReturnFocus>
  );
}

/** Gives the focus back to what opened a dialog. */
function ReturnFocus({ children }: { children: ReactNode }) {
  useEffect(() => {
    const opener = document.activeElement;
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) setTimeout(() => opener.focus({ preventScroll: true }));
    };
  }, []);
  return children;
}
