/** What a model's provider answered instead of an answer, or in the middle of one. */
export interface ProviderFault {
  /** The HTTP status, where there was one. */
  statusCode?: number;
  /** The provider's own name for it, such as `overloaded_error`. */
  code?: string;
  responseHeaders?: Record<string, string>;
  cause?: unknown;
}

/** A provider's fault. Its message is ours: what the provider wrote may quote the prompt. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  // Named as the errors of the AI SDK name them, so that whoever reads one reads the other.
  readonly statusCode?: number;
  readonly code?: string;
  readonly responseHeaders?: Record<string, string>;

  constructor(message: string, { statusCode, code, responseHeaders, cause }: ProviderFault = {}) {
    super(message, { cause });
    this.statusCode = statusCode;
    this.code = code;
    this.responseHeaders = responseHeaders;
  }
}
