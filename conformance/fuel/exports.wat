;; A function is found by its interface, and must have the type that it is called with.
(component
  (core module $m (func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))
  (core instance $i (instantiate $m))
  (func $run (param "n" u32) (result u32) (canon lift (core func $i "run")))
  (instance $api (export "run" (func $run)))
  (export "acme:numbers/api@1.2.3" (instance $api)))
