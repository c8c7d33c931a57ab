// Takes the README's picture of GraphiQL with a live depth subscription, from a running engine.
// usage: npm install --no-save playwright-core && node docs/pictures/graphiql.mjs [http://127.0.0.1:8000] [/usr/bin/chromium]
import { chromium } from "playwright-core";

const [address = "http://127.0.0.1:8000", executablePath = "/usr/bin/chromium"] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
const complaints = [];
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(String(error)));
await page.goto(`${address}/graphiql`);
await page.waitForSelector(".graphiql-execute-button");
await page.waitForTimeout(1500);
await page.click(".graphiql-execute-button");
await page.getByRole("menuitem", { name: "Depth" }).click();
await page.waitForFunction(() => document.querySelector(".result-window")?.textContent?.includes("sequence"), null, { timeout: 15000 });
await page.waitForTimeout(1000);
await page.screenshot({ path: new URL("graphiql.png", import.meta.url).pathname });
await browser.close();
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length ? 1 : 0);
