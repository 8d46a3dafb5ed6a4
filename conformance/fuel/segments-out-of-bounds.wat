;; A data segment that does not fit is a trap when the instance is made.
(component
  (core module $m
    (memory 1)
    (data (i32.const 65535) "two")
    (func (export "run") (param $n i32) (result i32) (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
