import type { SupabaseClient } from "@supabase/supabase-js";
import { problem } from "./errors.ts";

/** The private bucket `documents`; paths are `<owner>/<agent>/<name>`. */
export interface Storage {
  upload(path: string, bytes: Uint8Array<ArrayBuffer>, mimeType: string): Promise<void>;
  /** The bytes, or null when there is no such file. */
  download(path: string): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Removes files; one that is gone already is no error. */
  remove(paths: string[]): Promise<void>;
}

/** The bucket `documents` by way of the service role. */
export function createStorage(client: SupabaseClient): Storage {
  const bucket = () => client.storage.from("documents");
  return {
    async upload(path, bytes, contentType) {
      const { error } = await bucket().upload(path, bytes, { contentType, upsert: true });
      if (error) throw outage("upload", error);
    },
    async download(path) {
      const { data, error } = await bucket().download(path);
      if (data) return new Uint8Array(await data.arrayBuffer());
      // Storage answers 400 for a file that does not exist, with the true status in the body.
      if (isMissing(error)) return null;
      throw outage("download", error);
    },
    async remove(paths) {
      if (paths.length === 0) return;
      const { error } = await bucket().remove(paths);
      if (error) throw outage("remove", error);
    },
  };
}

function outage(action: string, cause: unknown): Error {
  return problem("unavailable", `Cannot ${action} a file of the bucket documents`, { cause });
}

function isMissing(error: unknown): boolean {
  const { status, statusCode } = error as { status?: number; statusCode?: string };
  return status === 404 || statusCode === "404";
}
