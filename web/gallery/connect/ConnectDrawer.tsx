import { Drawer } from "@mantine/core";

/** What is configured: a provider that is to be connected, or an integration that exists. */
export type Target = { provider: string } | { integrationId: string };

export default function ConnectDrawer({ target, onClose }: { target: Target; onClose(): void }) {
  return <Drawer opened onClose={onClose} position="right" size="xl" title={"provider" in target ? "Connect" : "Configure"} />;
}
