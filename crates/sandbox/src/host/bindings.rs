//! What the engine needs to know of the WIT in `wit/`: types, and a trait for every interface.

wasmtime::component::bindgen!({
    path: "wit",
    world: "glassbox:sandbox/host",
    imports: {
        "wasi:io/poll.poll": async | trappable,
        "wasi:io/poll.[method]pollable.block": async | trappable,
        "wasi:io/poll.[method]pollable.ready": async | trappable,
        "wasi:http/types.[method]future-incoming-response.get": async | trappable,
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
        "wasi:http/types.fields": crate::host::http::fields::Fields,
        "wasi:http/types.outgoing-request": crate::host::http::messages::OutgoingRequest,
        "wasi:http/types.outgoing-response": crate::host::http::serving::OutgoingResponse,
        "wasi:http/types.outgoing-body": crate::host::http::messages::OutgoingBody,
        "wasi:http/types.incoming-request": crate::host::http::serving::IncomingRequest,
        "wasi:http/types.incoming-response": crate::host::http::messages::IncomingResponse,
        "wasi:http/types.incoming-body": crate::host::http::messages::IncomingBody,
        "wasi:http/types.future-trailers": crate::host::http::messages::FutureTrailers,
        "wasi:http/types.future-incoming-response": crate::host::http::outgoing::FutureResponse,
        "wasi:http/types.request-options": crate::host::http::outgoing::Options,
        "wasi:http/types.response-outparam": crate::host::http::serving::ResponseOutparam,
    },
    require_store_data_send: true,
});
