(component
  (core module $m
    (func (export "bright") (param i32) (result i32) (i32.add (local.get 0) (i32.const 60))))
  (core instance $i (instantiate $m))
  (func (export "bright") (param "n" u32) (result u32) (canon lift (core func $i "bright"))))
