// Headless Chromium, from a package: unpacked once, on installation (`node chromium.mjs`), and
// started with the web's security on: the arguments that the package itself proposes turn CORS off.

import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

// Among the packages: `npm ci` removes it with them, so it is always theirs.
const FOLDER = fileURLToPath(new URL("node_modules/.cache/chromium", import.meta.url));
// The package's fonts are all that there are, here as anywhere.
const FONTS = `<fontconfig>
  <dir>${FOLDER}/fonts</dir>
  <cachedir>${FOLDER}/fonts/cache</cachedir>
</fontconfig>
`;

async function unpack() {
  const partial = `${FOLDER}.partial`;
  await rm(FOLDER, { recursive: true, force: true });
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  process.env.TMPDIR = partial; // where the package unpacks to
  const { default: packed, inflate } = await import("@sparticuz/chromium");
  packed.setGraphicsMode = false;
  await packed.executablePath();
  // The libraries that a bare system lacks.
  const libraries = new URL("../bin/al2023.tar.br", import.meta.resolve("@sparticuz/chromium"));
  await inflate(fileURLToPath(libraries));
  await writeFile(`${partial}/fonts/fonts.conf`, FONTS);
  await rename(partial, FOLDER);
}

export function launch() {
  return chromium.launch({
    executablePath: `${FOLDER}/chromium`,
    chromiumSandbox: false, // root, and containers, cannot have it
    args: ["--no-zygote", "--disable-background-networking", "--disable-gpu"],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: `${FOLDER}/al2023/lib`,
      FONTCONFIG_PATH: `${FOLDER}/fonts`,
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await unpack();
