/** Takes the focus to the page's content. */
export function focusMain() {
  document.querySelector("main")?.focus({ preventScroll: true });
}
