import { Modal } from "@mantine/core";

export default function ImportDialog({ onClose }: { integrationId: string; onClose(): void }) {
  return <Modal opened onClose={onClose} size="lg" title="Import" />;
}
