/** Light or dark: the system's theme until the reader chooses. */

import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const dark = (): MediaQueryList => matchMedia("(prefers-color-scheme: dark)");

export function themeNow(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return dark().matches ? "dark" : "light";
}

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(themeNow);
  useEffect(() => {
    const follow = (): void => setTheme(themeNow());
    const query = dark();
    query.addEventListener("change", follow);
    addEventListener("kassa-theme", follow);
    return () => {
      query.removeEventListener("change", follow);
      removeEventListener("kassa-theme", follow);
    };
  }, []);
  return [theme, () => choose(theme === "dark" ? "light" : "dark")];
}

function choose(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("kassa.theme", theme);
  } catch {
    // The browser refuses storage: the choice lasts for this visit.
  }
  dispatchEvent(new Event("kassa-theme"));
}
