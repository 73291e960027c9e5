import { Button } from "@mantine/core";
import { Link } from "wouter";
import { Empty } from "../kit/Empty";
import { useAddress } from "../shell/address";
import type { Target } from "./operations";

export function ready({ enabled, hasConfiguration, provider }: Target): boolean {
  return enabled && hasConfiguration && provider.capabilities.supportsImport;
}

/** Says what has to be done before anything can be imported. */
export function NotReady({ target: { id, displayName, enabled, provider } }: { target: Target }) {
  const address = useAddress();
  if (!provider.capabilities.supportsImport) return <Empty title="Not yet">Importing from {provider.displayName} is not supported yet.</Empty>;
  if (!enabled) return <Empty title={`${displayName} is disabled`}>Enable it on its card first. Its settings and data are kept.</Empty>;
  return (
    <Empty title="Finish the set-up first">
      <Button component={Link} href={address.dialog("configure", id)}>
        Configure {displayName}
      </Button>
    </Empty>
  );
}
