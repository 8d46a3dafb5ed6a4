(component
  (core module $m
    (func (export "handshake") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "renegotiate") (param i32) (result i32) unreachable))
  (core instance $i (instantiate $m))
  (func (export "handshake") (param "n" u32) (result u32) (canon lift (core func $i "handshake")))
  (func (export "renegotiate") (param "n" u32) (result u32) (canon lift (core func $i "renegotiate"))))
