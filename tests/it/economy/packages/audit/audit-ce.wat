(component
  (core module $m
    (func (export "add") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $i (instantiate $m))
  (func $add (param "n" u32) (result u32) (canon lift (core func $i "add")))
  (instance $core (export "add" (func $add)))
  (export "ledgerly:audit/core@1.0.0" (instance $core)))
