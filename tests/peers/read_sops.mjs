// Reads a sops file with the npm package sops-age. node read_sops.mjs MODULES FILE TYPE, the identity in SOPS_AGE_KEY.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, file, fileType] = process.argv.slice(2);
const { decryptSops } = createRequire(`${modules}/`)("sops-age");
const data = await decryptSops(readFileSync(file, "utf8"), { secretKey: process.env.SOPS_AGE_KEY, fileType });
process.stdout.write(JSON.stringify(data));
