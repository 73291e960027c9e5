import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

// From the lightest to the darkest. White on the seventh, and the seventh on white, have a contrast of more than 4.5.
const indigo: MantineColorsTuple = [
  "#eef0fc", "#dde1f8", "#bac2f1", "#98a3ea", "#7a88e3", "#6474dc", "#4d5ed3", "#4150c4", "#3743a6", "#2d3787",
];

// Text, then borders and fields, then the page.
const dark: MantineColorsTuple = [
  "#dfe3ea", "#c3c9d4", "#a0a9b8", "#7d8798", "#3a4252", "#2c3340", "#262c38", "#1d222c", "#181c25", "#141820",
];

// It may take several lines.
const title = { lineHeight: 1.35, overflowWrap: "anywhere" } as const;

export const theme = createTheme({
  colors: { indigo, dark },
  primaryColor: "indigo",
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  defaultRadius: "md",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  headings: { fontWeight: "600" },
  spacing: { xs: "8px", sm: "12px", md: "16px", lg: "24px", xl: "32px" },
  components: {
    Modal: { defaultProps: { transitionProps: { duration: 120 }, closeButtonProps: { "aria-label": "Close" } }, styles: { title } },
    Drawer: { defaultProps: { transitionProps: { duration: 120 }, closeButtonProps: { "aria-label": "Close" } }, styles: { title } },
    // Else each would be one more banner of the page.
    ModalHeader: { defaultProps: { role: "presentation" } },
    DrawerHeader: { defaultProps: { role: "presentation" } },
    // Its title is in these, on a hint of them.
    Alert: {
      vars: (_theme: unknown, { color }: { color?: string }) => {
        const tone = color === "yellow" ? "var(--tone-warn)" : color === "red" ? "var(--tone-bad)" : undefined;
        return { root: tone ? { "--alert-color": tone, "--alert-bg": `color-mix(in srgb, ${tone} 10%, var(--surface))` } : {} };
      },
    },
    SegmentedControl: { defaultProps: { transitionDuration: 120 } },
    Collapse: { defaultProps: { transitionDuration: 120 } },
    // Within the landmark that they belong to, and with the focus on the first entry.
    Menu: { defaultProps: { transitionProps: { duration: 80 }, withinPortal: false, withInitialFocusPlaceholder: false } },
    Tooltip: { defaultProps: { transitionProps: { duration: 80 }, openDelay: 300, withArrow: true, events: { hover: true, focus: true, touch: true } } },
  },
});

/** The components' colours where their own have too little contrast with our surfaces. See style.css for the tones. */
export const cssVariables: CSSVariablesResolver = () => {
  const tones = { "--mantine-color-error": "var(--tone-bad)", "--mantine-color-dimmed": "var(--tone-quiet)" };
  return {
    variables: {},
    light: { ...tones, "--mantine-color-text": "#2b3340" },
    dark: { ...tones, "--mantine-color-text": "#dfe3ea", "--mantine-color-anchor": "#a3aefa" },
  };
};
