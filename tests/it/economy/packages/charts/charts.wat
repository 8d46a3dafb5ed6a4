(component
  (core module $m
    (func (export "height") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
  (core instance $i (instantiate $m))
  (func (export "height") (param "n" u32) (result u32) (canon lift (core func $i "height"))))
