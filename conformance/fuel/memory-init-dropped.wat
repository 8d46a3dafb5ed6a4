;; A segment that was dropped has no bytes left.
(component
  (core module $m
    (memory 1)
    (data $d "bytes")
    (func (export "run") (param $n i32) (result i32)
      (data.drop $d)
      (memory.init $d (i32.const 0) (i32.const 0) (local.get $n))
      (memory.size)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
