import org.apache.spark.sql.{Dataset, Encoders, SparkSession}

/** The same as a typed Dataset, each customer's lines reduced to the one with the highest rank. */
object LatestCustomers {
  private val ranks = Ordering[(String, Long, Boolean)]

  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder().getOrCreate()
    import spark.implicits._

    val lines: Dataset[Line] =
      spark.read.schema(Encoders.product[Line].schema).option("header", "true").csv(sys.env("DATA") + "/changes").as[Line]
    val customers = lines
      .filter(line => line.fault.isEmpty)
      .groupByKey(line => line.customer_id.get)
      .reduceGroups((one: Line, other: Line) => if (ranks.gteq(one.rank, other.rank)) one else other)
      .filter(found => found._2.operation != "delete")
      .map { case (id, line) =>
        val changed = line.changed_at.map(text => java.sql.Timestamp.from(java.time.Instant.parse(text)))
        Customer(id, line.name, line.email, line.segment, line.source, changed)
      }
    customers.coalesce(1).write.mode("overwrite").parquet(sys.env("LAKE") + "/customers")

    val rejected = lines.flatMap(line => line.fault.map(reason => (line.customer_id, reason)))
    rejected.toDF("customer_id", "reason").write.mode("overwrite").parquet(sys.env("LAKE") + "/customers_rejected")
  }
}
// canary: 58d2d429-7b16-4150-990d-7e9849ec9d0a
