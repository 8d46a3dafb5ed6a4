//! What the engine needs to know of the WIT in `wit/`: types, and a trait for every interface.

wasmtime::component::bindgen!({
    path: "wit",
    world: "glassbox:sandbox/host",
    imports: {
        "wasi:io/poll.poll": async | trappable,
        "wasi:io/poll.[method]pollable.block": async | trappable,
        default: trappable,
    },
    trappable_error_type: {
        "wasi:io/streams.stream-error" => crate::host::stream::StreamError,
        "wasi:filesystem/types.error-code" => crate::host::filesystem::FileError,
    },
    with: {
        "wasi:io/error.error": crate::host::stream::IoError,
        "wasi:io/poll.pollable": crate::host::io::Pollable,
        "wasi:io/streams.input-stream": crate::host::stream::InputStream,
        "wasi:io/streams.output-stream": crate::host::stream::OutputStream,
        "wasi:cli/terminal-input.terminal-input": crate::host::cli::Terminal,
        "wasi:cli/terminal-output.terminal-output": crate::host::cli::Terminal,
        "wasi:filesystem/types.descriptor": crate::host::filesystem::Descriptor,
        "wasi:filesystem/types.directory-entry-stream": crate::host::filesystem::Listing,
    },
    require_store_data_send: true,
});
