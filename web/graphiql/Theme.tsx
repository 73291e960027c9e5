import { useGraphiQL, useGraphiQLActions, useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** The names under which the editors' colours are defined. */
export const editorTheme = { light: "patchbay-light", dark: "patchbay-dark" };

// The editors' counterpart of the accents in style.css.
const palettes = {
  light: { base: "vs", accent: "#4150c4", surface: "#ffffff", argument: "6c3fb5" },
  dark: { base: "vs-dark", accent: "#a3aefa", surface: "#1d222c", argument: "b3a1ff" },
} as const;

/** Gives the editors our colours and wraps their lines; follows the system's theme while none is chosen. Goes inside GraphiQL. */
export function Theme() {
  const monaco = useMonaco((state) => state.monaco);
  const theme = useGraphiQL((state) => state.theme);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const { setTheme } = useGraphiQLActions();

  useEffect(() => queryEditor?.updateOptions({ wordWrap: "on" }), [queryEditor]);

  useEffect(() => {
    if (!monaco) return;
    for (const [name, { base, accent, surface, argument }] of Object.entries(palettes)) {
      monaco.editor.defineTheme(editorTheme[name as keyof typeof palettes], {
        base,
        inherit: true,
        rules: [{ token: "argument.identifier.gql", foreground: argument }],
        colors: {
          "editor.background": "#ffffff00",
          "scrollbar.shadow": "#ffffff00",
          focusBorder: accent,
          "textLink.foreground": accent,
          "textLink.activeForeground": accent,
          "editorLink.activeForeground": accent,
          "list.highlightForeground": accent,
          "list.focusHighlightForeground": accent,
          "list.hoverBackground": `${accent}19`,
          "editorWidget.background": surface,
          "editorHoverWidget.background": surface,
          "editorSuggestWidget.background": surface,
          "editorSuggestWidget.selectedBackground": `${accent}2b`,
          "editorSuggestWidget.selectedForeground": accent,
          "menu.background": surface,
          "menu.selectionBackground": `${accent}2b`,
          "menu.selectionForeground": accent,
          "quickInput.background": surface,
          "quickInputList.focusBackground": `${accent}2b`,
        },
      });
    }
  }, [monaco]);

  useEffect(() => {
    const apply = () => setTheme(theme);
    if (monaco) apply();
    if (theme !== null) return;
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }, [monaco, theme, setTheme]);

  return null;
}
