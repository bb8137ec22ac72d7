/** The path of a Chromium: CHROMIUM from the environment, or the first on the PATH. */
export declare function findChromium(): string | undefined;
