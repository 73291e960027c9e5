import { Button, Group } from "@mantine/core";

/** Below a list, a way to more of it: nothing where there is none. */
export function MoreButton({ more, loading }: { more: (() => void) | null; loading: boolean }) {
  if (!more) return null;
  return (
    <Group justify="center" mt="md">
      <Button variant="default" size="xs" onClick={more} loading={loading}>
        Load more
      </Button>
    </Group>
  );
}
