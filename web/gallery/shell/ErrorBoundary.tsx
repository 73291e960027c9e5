import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { NotLoaded } from "../kit/lazily";

interface Props {
  /** Where one is: elsewhere, it is tried again, unless it was not loaded. */
  at?: string;
  children: ReactNode;
}

/** What is left of a page that broke: the reason, and ways on. */
export class ErrorBoundary extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidUpdate({ at }: Props) {
    if (this.state.error && at !== this.props.at) this.setState({ error: null });
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Alert role="alert" color="red" title="This page broke" m="lg">
        <Stack gap="sm" align="start">
          <Text size="sm">{error.message}</Text>
          <Group gap="xs">
            {!(error instanceof NotLoaded) && (
              <Button size="xs" variant="default" onClick={() => this.setState({ error: null })}>
                Try again
              </Button>
            )}
            <Button size="xs" variant="default" onClick={() => location.reload()}>
              Reload
            </Button>
          </Group>
        </Stack>
      </Alert>
    );
  }
}
