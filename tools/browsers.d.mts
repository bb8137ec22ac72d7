/** The path of a browser. @throws Error that says how to get it. */
export declare function findBrowser(name: "Chromium" | "Firefox"): string;
