// Writes shared/database.types.ts anew from the migrations, on the server of DATABASE_URL.
import { projectUrl } from "../gates/files.ts";
import { generateTypes, hostedProject, supabase } from "./project.ts";

await using project = await hostedProject();
const { code, stderr } = await supabase(["db", "push", "--yes"], project.url);
if (code !== 0) throw new Error(`Cannot apply the migrations: ${stderr}`);
await Deno.writeTextFile(projectUrl("shared/database.types.ts"), await generateTypes(project.url));
