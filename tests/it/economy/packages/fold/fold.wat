(component
  (core module $m
    (func (export "fold") (param i32) (result i32) (local $n i32)
      (block $end (loop $more
        (br_if $end (i32.eq (local.get $n) (local.get 0)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $more)))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "fold") (param "n" u32) (result u32) (canon lift (core func $i "fold"))))
