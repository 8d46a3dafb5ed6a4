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
    },
    with: {
        "wasi:io/error.error": crate::host::stream::IoError,
        "wasi:io/poll.pollable": crate::host::io::Pollable,
        "wasi:io/streams.input-stream": crate::host::stream::InputStream,
        "wasi:io/streams.output-stream": crate::host::stream::OutputStream,
    },
    require_store_data_send: true,
});
