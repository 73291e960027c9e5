import { Alert, Button, Stack, Text } from "@mantine/core";
import { Component, type ReactNode } from "react";

/** What is left of a page that broke: the reason, and a way on. A part that cannot be loaded is one of a newer version. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Alert role="alert" color="red" title="This page broke" m="lg">
        <Stack gap="sm" align="start">
          <Text size="sm">{error.message}</Text>
          <Button size="xs" variant="default" onClick={() => location.reload()}>
            Reload
          </Button>
        </Stack>
      </Alert>
    );
  }
}
